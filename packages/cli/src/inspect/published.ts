import { published } from '@mmllm/models';
import { architectures } from './architectures';
import { type Inspection, inspectConfig } from './inspect';

/** What is in every published size whose architecture is known, by name. */
export async function inspectPublished(): Promise<Record<string, Inspection>> {
  const known = Object.entries(published).filter(([, { model_type: type }]) =>
    Object.hasOwn(architectures, String(type)),
  );
  const inspections: Record<string, Inspection> = {};
  // One after the other, so that no two large trees are there at once.
  for (const [name, config] of known) inspections[name] = await inspectConfig(config);
  return inspections;
}
