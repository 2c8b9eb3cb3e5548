/**
 * Pictures of more pixels are refused before they are decoded: 2 · 89,478,485, where Pillow too stops with a
 * `DecompressionBombError`. As RGB that is half a gigabyte.
 */
export const maxPixels = 178_956_970;
