import { HUB_URL } from '@huggingface/hub';
import { ConfigError } from '@mmllm/core';
import type { Fetch } from '../http/request';
import type { RetryOptions } from '../http/retry';
import { checkName } from '../storage/names';

export interface HubOptions extends RetryOptions {
  /** A branch, a tag or a commit. Default `main`. */
  revision?: string;
  /** For private and gated models. Default: `HF_TOKEN` of the environment; false sends none. */
  token?: string | false;
  /** Default: `HF_ENDPOINT` of the environment, or else the public Hub. */
  hubUrl?: string;
  /** Instead of the platform's. */
  fetch?: Fetch;
  /** Aborting rejects with the signal's reason. What was downloaded so far is kept. */
  signal?: AbortSignal;
  /** Whether to make no request and take what was downloaded before. Default: whether `HF_HUB_OFFLINE` is 1. */
  offline?: boolean;
  onProgress?: (progress: DownloadProgress) => void;
}

export interface DownloadProgress {
  /** The file that bytes came for. */
  file: string;
  /** Bytes of that file so far, and in all. */
  fileLoaded: number;
  fileSize: number;
  /** Bytes of all files so far, and in all. */
  loaded: number;
  total: number;
}

/** Options with their defaults, checked. */
export interface HubTarget extends RetryOptions {
  readonly repo: string;
  readonly revision: string;
  readonly token: string | undefined;
  readonly hubUrl: string;
  readonly offline: boolean;
  readonly fetch?: Fetch;
  readonly signal?: AbortSignal;
}

/** @throws ConfigError for a name, revision or token that cannot be one; the token is not quoted. */
export function resolveTarget(repo: string, options: HubOptions): HubTarget {
  const { revision = 'main', token = environment('HF_TOKEN') } = options;
  const { hubUrl = environment('HF_ENDPOINT') ?? HUB_URL, offline = environment('HF_HUB_OFFLINE') === '1' } =
    options;
  if (!/^[\w.-]+(?:\/[\w.-]+)?$/.test(repo) || /\.\.|--/.test(repo)) {
    throw new ConfigError({
      component: 'hub',
      expected: "the name of a model, such as 'openai/clip-vit-large-patch14'",
      actual: JSON.stringify(repo),
    });
  }
  // It becomes the name of a file.
  checkName(revision);
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new ConfigError({
      component: 'hub',
      expected: 'a token of visible ASCII characters',
      actual: 'other characters',
    });
  }
  const { fetch, signal, retries, retryDelay } = options;
  return {
    repo,
    revision,
    token: token || undefined,
    hubUrl: hubUrl.replace(/\/+$/, ''),
    offline,
    fetch,
    signal,
    retries,
    retryDelay,
  };
}

/** A variable of the environment; undefined in browsers, and when empty. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name] || undefined;
}
