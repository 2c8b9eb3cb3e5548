import { ConfigError, DownloadError } from '@mmllm/core';
import { Passing } from './retry';

/** As the platform's `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface RequestOptions {
  /** Instead of the platform's, for instance one that goes through a proxy. */
  fetch?: Fetch;
  /** Sent with every request. Their values never stand in an error. */
  headers?: Readonly<Record<string, string>>;
  /** What an error advises after a status. Default: general advice. */
  hint?: (status: number, headers: Headers) => string | undefined;
}

/** What error messages call a URL: without user, query and fragment, which may hold secrets. */
export function publicName(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    throw new ConfigError({ component: 'http', expected: 'an absolute URL', actual: 'another text' });
  }
}

/**
 * One request. Anything but the wished-for statuses is an error without the platform's text, which can quote headers and
 * URLs.
 * @throws Passing for what may work when tried again: no answer, 408, 429 and 5xx.
 * @throws DownloadError for other statuses.
 */
export async function request(
  url: string,
  { fetch: fetchOne = fetch, headers = {}, hint = generalHint }: RequestOptions,
  init: RequestInit & { accept: readonly number[] },
): Promise<Response> {
  const name = publicName(url);
  const { accept, signal, ...rest } = init;
  let response: Response;
  try {
    response = await fetchOne(url, { ...rest, signal, headers: { ...headers, ...init.headers } });
  } catch (error) {
    signal?.throwIfAborted();
    throw new Passing(noAnswer(name, error));
  }
  if (accept.includes(response.status)) return response;
  await discard(response);
  const failure = new DownloadError({
    component: name,
    expected: `status ${accept.join(' or ')}`,
    actual: `${response.status}`,
    hint: hint(response.status, response.headers),
    status: response.status,
  });
  if (mayPass(response.status)) throw new Passing(failure, retryAfter(response));
  throw failure;
}

/** Frees the connection of an answer that nobody reads. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

const mayPass = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Seconds in `Retry-After`, as milliseconds; dates are rare and count as none. */
const retryAfter = (response: Response): number => 1000 * (Number(response.headers.get('Retry-After')) || 0);

export function noAnswer(name: string, error: unknown): DownloadError {
  const code = systemCode(error);
  return new DownloadError({
    component: name,
    expected: 'an answer',
    actual: code ? `none (${code})` : 'none',
    hint: 'Check the address and the connection; in a browser, whether the server allows requests from this page (CORS).',
  });
}

/** `ECONNREFUSED` and the like, of the error or of what caused it: a code holds no secret. */
function systemCode(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^[A-Z_]{1,40}$/.test(cause.code))
      return cause.code;
  }
  return undefined;
}

function generalHint(status: number): string | undefined {
  if (status === 401) return 'Send a valid token.';
  if (status === 403) return 'The token gives no access to this.';
  if (status === 404) return 'Check the address.';
  return undefined;
}
