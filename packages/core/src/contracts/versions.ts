import { UnsupportedVersionError } from '../errors';

interface Versioned {
  readonly specVersion: string;
  readonly name?: string;
}

/** Lifts a part of an older version to the newest; the identity for the newest itself. */
type Adapter = (part: Versioned) => Versioned;

const newest: Adapter = (part) => part;

/** The one place that knows which contract versions this core accepts, and how older ones are adapted. */
const accepted: Record<string, Record<string, Adapter>> = {
  encoder: { 'image-encoder/v1': newest },
  projector: { 'projector/v1': newest },
  fusion: { 'fusion/v1': newest },
  decoder: { 'decoder/v1': newest },
  processor: { 'processor/v1': newest },
  tokenizer: { 'vision-tokenizer/v1': newest },
  generator: { 'image-generator/v1': newest },
};

/**
 * The part, adapted to the newest version of its contract.
 * @throws UnsupportedVersionError for a version that is not in the table.
 */
export function adapt<T extends Versioned>(kind: string, part: T): T {
  const versions = accepted[kind];
  const adapter = versions?.[part?.specVersion];
  if (!adapter) {
    throw new UnsupportedVersionError({
      component: part?.name ? `${kind} '${part.name}'` : kind,
      expected: `specVersion ${Object.keys(versions).join(' or ')}`,
      actual: part?.specVersion === undefined ? 'none' : String(part.specVersion),
      hint: 'Install a version of @mmllm/core that accepts it, or update the component.',
    });
  }
  return adapter(part) as T;
}
