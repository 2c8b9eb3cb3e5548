import { bufferSource } from '@mmllm/checkpoints';
import type { CaseFiles } from '../parity';

/** The files of `fixtures/cases/<name>`, in Node and in a page of the test server. */
export function fixtureFiles(name: string): CaseFiles {
  // A bundler would take a template with import.meta.url in it for the pattern of an asset.
  const path = `../../../../fixtures/cases/${name}/`;
  const folder = new URL(path, import.meta.url);
  return { open: async (file) => bufferSource(await readUrl(new URL(file, folder)), file) };
}

async function readUrl(url: URL): Promise<Uint8Array> {
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The same files, with some of them changed. */
export function changedFiles(
  files: CaseFiles,
  changes: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>>,
): CaseFiles {
  return {
    async open(file) {
      const source = await files.open(file);
      const change = changes[file];
      return change ? bufferSource(change((await source.read(0, source.size)).slice()), file) : source;
    },
  };
}
