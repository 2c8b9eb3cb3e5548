import { listFiles, modelInfo } from '@huggingface/hub';
import { CheckpointError, DownloadError, MmllmError } from '@mmllm/core';
import type { RangeOptions } from '../http/range';
import { request } from '../http/request';
import { Patience } from '../http/retry';
import type { HubTarget } from './options';

/** A file of a model at a commit. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Names the content: the SHA-256 of a large file, and git's SHA-1 of any other. */
  readonly oid: string;
  /** True where `oid` is a hash of xet's chunks instead. */
  readonly isXet?: true;
}

/** A model at a commit. */
export interface HubModel {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const COMMIT = /^[0-9a-f]{40}$/;

/**
 * The commit of the target's revision, and its files.
 * @throws DownloadError with what to do, if the Hub does not answer or refuses.
 */
export async function readModel(target: HubTarget): Promise<HubModel> {
  const { repo, revision, hubUrl } = target;
  const fetch = apiFetch(target);
  try {
    const { sha: commit } = await modelInfo({
      name: repo,
      revision,
      hubUrl,
      fetch,
      additionalFields: ['sha'],
    });
    if (!COMMIT.test(commit)) throw badAnswer(target, 'a commit');
    const files: HubFile[] = [];
    for await (const entry of listFiles({ repo, revision: commit, recursive: true, hubUrl, fetch })) {
      if (entry.type !== 'file') continue;
      const oid = entry.lfs?.oid ?? entry.xetHash ?? entry.oid;
      if (!Number.isSafeInteger(entry.size) || !/^[0-9a-f]{40,64}$/.test(oid ?? '')) {
        throw badAnswer(target, 'size and identity of every file');
      }
      const isXet = !entry.lfs && entry.xetHash !== undefined;
      files.push({ path: entry.path, size: entry.size, oid: oid!, ...(isXet && { isXet }) });
    }
    return { commit, files };
  } catch (error) {
    target.signal?.throwIfAborted();
    // What the library or the platform says may quote what was sent.
    if (MmllmError.isInstance(error)) throw error;
    throw badAnswer(target, 'JSON of the known form');
  }
}

const badAnswer = ({ hubUrl, repo }: HubTarget, expected: string) =>
  new CheckpointError({
    component: `${new URL(hubUrl).host}: ${repo}`,
    expected: `an answer with ${expected}`,
    actual: 'another one',
  });

/** Where a file of a commit lies. */
export const fileUrl = ({ hubUrl, repo }: HubTarget, { commit }: HubModel, { path }: HubFile): string =>
  `${hubUrl}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;

/** How files of the target are fetched. */
export const rangeOptions = (target: HubTarget): RangeOptions => ({
  fetch: target.fetch,
  signal: target.signal,
  retries: target.retries,
  retryDelay: target.retryDelay,
  headers: authorization(target),
  hint: hintFor(target),
});

const authorization = ({ token }: HubTarget): Record<string, string> =>
  token ? { Authorization: `Bearer ${token}` } : {};

/**
 * `fetch` for the library: tries again, throws our errors, and sends the token to the Hub alone, wherever an answer's
 * link to a next page leads.
 */
function apiFetch(target: HubTarget): typeof fetch {
  const origin = new URL(target.hubUrl).origin;
  return async (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    const headers = new URL(url).origin === origin ? authorization(target) : {};
    const patience = new Patience(target);
    for (;;) {
      try {
        return await request(
          url,
          { ...rangeOptions(target), headers },
          {
            ...init,
            signal: target.signal,
            accept: [200],
          },
        );
      } catch (error) {
        await patience.endure(error, target.signal);
      }
    }
  };
}

/** What to do about a status. The Hub says in a header which of several reasons it was. */
const hintFor =
  ({ repo, token }: HubTarget) =>
  (status: number, headers: Headers) => {
    const code = headers.get('X-Error-Code');
    if (status === 401 && code !== 'GatedRepo') {
      const cause = token ? 'The token is not valid, or there' : 'There';
      return `${cause} is no public model '${repo}'. Check the name; for a private one set HF_TOKEN or pass \`token\`.`;
    }
    if (status === 401 || status === 403) {
      const access = token ? 'with the account of the token' : 'and set HF_TOKEN or pass `token`';
      return `'${repo}' is private or gated: ask for access on its page ${access}.`;
    }
    if (status === 404) {
      if (code === 'RevisionNotFound')
        return `Check the revision: '${repo}' has no such branch, tag or commit.`;
      if (code === 'EntryNotFound') return `'${repo}' has no such file at this revision.`;
      return `Check the name '${repo}' and the revision.`;
    }
    if (status === 429) return 'The Hub asks for fewer requests: wait a while, or send a token.';
    return undefined;
  };

/** True where nothing answered, so that what was downloaded before may do. */
export const isOffline = (error: unknown): boolean =>
  DownloadError.isInstance(error) && error.status === undefined;

/** @param place what was searched instead of the Hub. */
export const notDownloaded = ({ repo, revision }: HubTarget, place: string) =>
  new DownloadError({
    component: repo,
    expected: `revision '${revision}' in ${place}`,
    actual: 'none',
    hint: 'Download it once while there is a connection.',
  });
