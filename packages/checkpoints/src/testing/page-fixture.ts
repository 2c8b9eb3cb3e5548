import { type ByteSource, blobSource } from '../source';

/** A file below `fixtures` in a page of the test server, as a file picker would give it. */
export async function pageFixture(name: string): Promise<ByteSource> {
  // A bundler would take a template with import.meta.url in it for the pattern of an asset.
  const fixtures = '../../../../fixtures/';
  const response = await fetch(new URL(name, new URL(fixtures, import.meta.url)));
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return blobSource(await response.blob(), name);
}
