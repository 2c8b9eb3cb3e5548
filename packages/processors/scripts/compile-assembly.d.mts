/** Where the compiled module is written. */
export const generatedFile: string;
/** The text of the generated file, from a fresh compilation. */
export function generate(): string;
