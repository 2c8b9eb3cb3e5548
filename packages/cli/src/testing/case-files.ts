import {
  bufferSource,
  encodeSafetensors,
  type FolderReader,
  openSafetensors,
  type TensorInput,
} from '@mmllm/checkpoints';

const MODEL = ['config.json', 'model.safetensors'];

/** The files of `fixtures/cases/<name>`, in Node and in a page of the test server. */
export function fixtureFiles(name: string): FolderReader {
  // A bundler would take a template with import.meta.url in it for the pattern of an asset.
  const path = `../../../../fixtures/cases/${name}/`;
  const folder = new URL(path, import.meta.url);
  return {
    open: async (file) => bufferSource(await readUrl(new URL(file, folder)), file),
    list: async (below) => {
      if (below === 'model') return MODEL.map((file) => `model/${file}`);
      if (folder.protocol === 'file:') return readFolder(folder);
      // A page cannot list them; every case that is read in one has these.
      return ['case.json', 'golden.safetensors', 'preprocessor_config.json'];
    },
  };
}

async function readFolder(folder: URL): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  return readdir(folder);
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

/** The tensors of a file by name. */
export type Tensors = Map<string, TensorInput>;

/** The same files, with tensors of one of them changed. */
export function changedTensors(
  files: FolderReader,
  file: string,
  change: (tensors: Tensors) => void,
): FolderReader {
  return {
    ...files,
    async open(name) {
      const source = await files.open(name);
      if (name !== file) return source;
      const opened = await openSafetensors(source);
      const tensors: Tensors = new Map();
      for (const key of opened.tensors.keys()) tensors.set(key, await opened.read(key));
      change(tensors);
      return bufferSource(encodeSafetensors(tensors), name);
    },
  };
}

/** Changes one value of a float32 tensor by a little. */
export function nudge(tensors: Tensors, key: string, by = 0.1): void {
  const { data, ...info } = tensors.get(key)!;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  const values = new Float32Array(bytes.buffer);
  values[Math.min(1, values.length - 1)] += by;
  tensors.set(key, { ...info, data: bytes });
}
