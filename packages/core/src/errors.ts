/** What every error of the toolkit says: which component, what it expected and what came. */
export interface ErrorDetails {
  /** The component that refused, as a parameter path or a package part: `decoder.layers.3`, `safetensors`. */
  component: string;
  expected: string;
  actual: string;
  /** One sentence on how to put it right. */
  hint?: string;
  cause?: unknown;
}

const marker = (code: string): symbol => Symbol.for(`mmllm.error.${code}`);

/**
 * Base of all errors thrown on purpose. Recognise one with `MmllmError.isInstance(error)` or, for a kind,
 * `ShapeError.isInstance(error)`: the check is a registered symbol, so it also holds across duplicate installs.
 */
export class MmllmError extends Error {
  /** Stable, machine-readable kind of the error. */
  static readonly code: string = 'error';
  readonly code: string;
  readonly component: string;
  readonly expected: string;
  readonly actual: string;
  readonly hint?: string;

  constructor({ component, expected, actual, hint, cause }: ErrorDetails) {
    const text = `${component}: expected ${expected}, got ${actual}.${hint ? ` ${hint}` : ''}`;
    super(text, cause === undefined ? undefined : { cause });
    const kind = new.target as typeof MmllmError;
    this.name = kind.name;
    this.code = kind.code;
    this.component = component;
    this.expected = expected;
    this.actual = actual;
    this.hint = hint;
    for (const code of new Set([MmllmError.code, kind.code])) {
      Object.defineProperty(this, marker(code), { value: true });
    }
  }

  /** True for an error of this class, also when another copy of the package made it. */
  static isInstance<T extends typeof MmllmError>(this: T, value: unknown): value is InstanceType<T> {
    return typeof value === 'object' && value !== null && marker(this.code) in value;
  }
}

/** A configuration value is outside the known set, or missing. */
export class ConfigError extends MmllmError {
  static override readonly code = 'config';
}

/** Sizes of neighbours, inputs or weights do not fit. */
export class ShapeError extends MmllmError {
  static override readonly code = 'shape';
}

/** A weight is missing, superfluous, or was used before it was initialised or loaded. */
export class WeightError extends MmllmError {
  static override readonly code = 'weight';
}

/** A component speaks a version of its contract that this core does not accept. */
export class UnsupportedVersionError extends MmllmError {
  static override readonly code = 'unsupported-version';
}

/** A freeze policy leaves a parameter unmatched or has a pattern that matches none. */
export class FreezePolicyError extends MmllmError {
  static override readonly code = 'freeze-policy';
}

/** The text holds another number of image placeholders than there are image features. */
export class PlaceholderCountError extends MmllmError {
  static override readonly code = 'placeholder-count';
}

/** A picture cannot be decoded, or claims a size that is refused. */
export class PictureError extends MmllmError {
  static override readonly code = 'picture';
}

/** A tokenizer or chat template is unusable, or meets text it cannot encode. */
export class TokenizerError extends MmllmError {
  static override readonly code = 'tokenizer';
}

/**
 * Why a chat template failed:
 *
 * - `raised`: the template itself refuses the conversation, with `raise_exception`;
 * - `syntax`: it is not a template, or asks for a filter or test that there is none of;
 * - `undefined`, `type`, `value`: what Python raises as UndefinedError, as TypeError, and as ValueError and its like;
 * - `security`: it reaches for what a template may not have;
 * - `limit`: it runs for too long, nests too deep or makes too much text.
 */
export type TemplateErrorKind = 'raised' | 'syntax' | 'undefined' | 'type' | 'value' | 'security' | 'limit';

export interface TemplateErrorDetails extends ErrorDetails {
  kind: TemplateErrorKind;
  reason: string;
}

/** A chat template is no template, refuses a conversation, or fails on it. */
export class TemplateError extends MmllmError {
  static override readonly code = 'template';
  readonly kind: TemplateErrorKind;
  /** What the template, or the engine on its behalf, says: of `raised` its very words. */
  readonly reason: string;

  constructor({ kind, reason, ...details }: TemplateErrorDetails) {
    super(details);
    this.kind = kind;
    this.reason = reason;
  }
}

/** A loss, a gradient or a parameter stopped being a finite number. */
export class NonFiniteError extends MmllmError {
  static override readonly code = 'non-finite';
}

/** A checkpoint file is truncated, malformed, or belongs to something else. */
export class CheckpointError extends MmllmError {
  static override readonly code = 'checkpoint';
}

/** No backend works here, or the one asked for does not. */
export class BackendError extends MmllmError {
  static override readonly code = 'backend';
}

/** The context or the key-value cache has no room for more tokens. */
export class ContextLengthError extends MmllmError {
  static override readonly code = 'context-length';
}

export interface DownloadErrorDetails extends ErrorDetails {
  /** Of the answer; left out where none came. */
  status?: number;
}

/**
 * Something cannot be fetched: there is no connection, no permission, or nothing of that name. Holds no token, no query
 * of a URL and no `cause`, because each of these may hold secrets.
 */
export class DownloadError extends MmllmError {
  static override readonly code = 'download';
  /** The HTTP status that was answered: 401 and 403 for no permission, 404 for nothing there; undefined when no answer came. */
  readonly status?: number;

  constructor({ status, ...details }: DownloadErrorDetails) {
    super(details);
    this.status = status;
  }
}
