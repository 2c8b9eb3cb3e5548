import type { MultimodalModel } from '../../packages/core/src/index';
import type { PublishedStage } from '../../packages/models/src/index';
import { resolvePolicy } from '../../packages/trainer/src/index';
import { linkPapers, table } from './markdown';
import { componentsOf } from './parts';

/** A recipe as a table: what learns how fast, the settings that are told, and who tells them. */
export function stageTable(model: MultimodalModel, stages: readonly PublishedStage[]): string {
  const head = ['stage', ...componentsOf(model), 'batch', 'other settings', 'sources'];
  return table([head, ...stages.map((stage) => row(model, stage))]);
}

function row(model: MultimodalModel, stage: PublishedStage): string[] {
  const { name, policy, sources, learningRate, batchSize, ...others } = stage;
  // A rate that nobody tells is NaN among those that are.
  const defaults = { learningRate: learningRate ?? Number.NaN, weightDecay: 0 };
  const { rows } = resolvePolicy(model, policy, defaults, name);
  const cells = componentsOf(model).map((component) => {
    const found = rows.find((row) => row.component === component);
    if (!found) return '–';
    if (found.trained === 0) return 'frozen';
    return found.learningRates.map((rate) => (Number.isNaN(rate) ? 'learns' : exponential(rate))).join(', ');
  });
  const settings = Object.entries(others).map(([key, value]) => `${key} ${formatSetting(value)}`);
  return [name, ...cells, `${batchSize ?? 'unknown'}`, settings.join(', ') || '–', sourcesOf(sources)];
}

const exponential = (rate: number) => rate.toExponential();

const formatSetting = (value: unknown) => (Array.isArray(value) ? `(${value.join(', ')})` : `${value}`);

/** Each source with what it tells; the one of most settings alone, as it tells all others. */
function sourcesOf(sources: PublishedStage['sources']): string {
  const bySource = new Map<string, string[]>();
  for (const [setting, source] of Object.entries(sources)) {
    bySource.set(source, [...(bySource.get(source) ?? []), setting]);
  }
  return [...bySource]
    .map(([source, settings]) => `${settings.join(', ')}: ${linkPapers(source)}`)
    .join('; ');
}
