/** RGB of CMYK by the plain rule, without profiles. Source: `cmyk2rgb` of Pillow, src/libImaging/Convert.c. */
export function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const data = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, at = 0; at < data.length; from += 4, at += 3) {
    const light = 255 - cmyk[from + 3];
    for (let c = 0; c < 3; c++) {
      const product = cmyk[from + c] * light + 128;
      data[at + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return data;
}
