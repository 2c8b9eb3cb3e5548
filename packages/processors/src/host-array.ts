/** An array on the host, row by row. */
export interface HostArray<
  D extends Float32Array | Int32Array = Float32Array | Int32Array,
  S extends readonly number[] = readonly number[],
> {
  readonly shape: S;
  readonly data: D;
}
