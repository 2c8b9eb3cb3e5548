import type { Picture } from '@mmllm/core';
import sharp from 'sharp';
import { advance, drawText, lineHeight, wrap } from './pixel-font';

/** A question about a picture, the model's answer and the right one. */
export interface Shown {
  readonly picture: Picture;
  readonly question: string;
  readonly answer: string;
  readonly expected: string;
}

/** A picture as coloured half blocks, two pixels a character, `columns` wide. */
export function terminalPicture({ data, width, height }: Picture, columns = 24): string[] {
  const rows = Math.round((columns * height) / width / 2);
  const pixel = (x: number, y: number) => {
    const row = Math.floor(((y + 0.5) * height) / (rows * 2));
    const offset = 3 * (row * width + Math.floor(((x + 0.5) * width) / columns));
    return `${data[offset]};${data[offset + 1]};${data[offset + 2]}`;
  };
  return Array.from({ length: rows }, (_, row) => {
    const cells = Array.from(
      { length: columns },
      (_, x) => `\u001b[38;2;${pixel(x, 2 * row)}m\u001b[48;2;${pixel(x, 2 * row + 1)}m▀`,
    );
    return `${cells.join('')}\u001b[0m`;
  });
}

const scale = 3;
const margin = 8;
const textLines = 3;
const perRow = 4;

/** Writes a PNG of all pictures, each with its question and answer; wrong answers are red. */
export async function writeContactSheet(path: string, shown: readonly Shown[]): Promise<void> {
  const cellWidth = 64 * scale + 2 * margin;
  const cellHeight = 64 * scale + 2 * margin + textLines * lineHeight + margin;
  const width = cellWidth * perRow;
  const height = cellHeight * Math.ceil(shown.length / perRow);
  const canvas = new Uint8Array(width * height * 3).fill(255);
  shown.forEach((item, index) => {
    const left = (index % perRow) * cellWidth + margin;
    const top = Math.floor(index / perRow) * cellHeight + margin;
    const plot = (x: number, y: number, color: readonly number[]) =>
      canvas.set(color, 3 * ((top + y) * width + left + x));
    drawPicture(item.picture, plot);
    drawCaption(item, (x, y, color) => plot(x, y + 64 * scale + margin, color));
  });
  await sharp(canvas, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path);
}

type Plot = (x: number, y: number, color: readonly number[]) => void;

function drawPicture({ data, width, height }: Picture, plot: Plot): void {
  const side = 64 * scale;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const offset = 3 * (Math.floor((y * height) / side) * width + Math.floor((x * width) / side));
      plot(x, y, [data[offset], data[offset + 1], data[offset + 2]]);
    }
  }
}

function drawCaption({ question, answer, expected }: Shown, plot: Plot): void {
  const right = answer === expected;
  const ink = right ? [0, 110, 40] : [190, 0, 0];
  const lines = wrap(question, Math.floor((64 * scale) / advance)).slice(0, 2);
  const gray = [40, 40, 40];
  for (const [i, line] of lines.entries()) drawText(line, (x, y) => plot(x, y + i * lineHeight, gray));
  const verdict = right ? `> ${answer}` : `> ${answer} / not ${expected}`;
  drawText(verdict, (x, y) => plot(x, y + lines.length * lineHeight, ink));
}
