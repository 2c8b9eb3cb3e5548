/** sharp decodes a JPEG, and Pillow resizes the picture and cuts it; what comes after that does not count. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { pathOfJpeg } from '../src/jpeg-file.ts';

export async function open(work, { python }) {
  const path = pathOfJpeg(work);
  const bytes = await readFile(path);
  const ask = await pillow(python, path, work.edge);
  return {
    async run() {
      await sharp(bytes).raw().toBuffer();
      await ask('resize');
      return {
        async values() {
          const floats = Uint8Array.from(Buffer.from(await ask('values'), 'base64'));
          return new Float32Array(floats.buffer);
        },
      };
    },
  };
}

/** A process that has the picture decoded, and answers each question with a line. */
async function pillow(python, path, edge) {
  const script = fileURLToPath(new URL('pillow_resize.py', import.meta.url));
  const child = spawn(python, [script, path, `${edge}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('Pillow ended');
    return value;
  };
  await answer();
  return (question) => {
    child.stdin.write(`${question}\n`);
    return answer();
  };
}
