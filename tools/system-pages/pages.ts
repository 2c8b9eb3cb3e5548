import { readFileSync } from 'node:fs';
import ts from 'typescript';
import type { MultimodalModel } from '../../packages/core/src/index';
import { composeSystem, type System, systemOf } from '../../packages/models/src/index';
import { figure, figureOfCodes, type Seeing } from './figure';
import { flamingoPage } from './flamingo';
import { count, linkPapers, table } from './markdown';
import { codesBlock, EXAMPLE, parameterTable, prepare, sequenceBlock } from './parts';
import { stageTable } from './stages';
import { type SystemFacts, systemFacts } from './systems';

const GENERATED = '<!-- Made by `npm run docs`: change tools/system-pages instead. -->';

/** By the name of the fusion. */
const METHODS: Readonly<Record<string, string>> = {
  unified: 'in the sequence (Method A)',
  'cross-attention': 'across layers (Method B)',
  hybrid: 'both ways (hybrid)',
  codes: 'as words of the decoder',
};

/** Every page below `docs/systems`, by its file name. Needs a backend, to prepare the example picture. */
export async function systemPages(): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  const index = [['system', 'how pictures reach the decoder', 'parameters', 'size']];
  for (const facts of systemFacts) {
    const { system, model } = await compose(facts);
    pages.set(`${facts.file}.md`, systemPage(facts, system, model));
    const parameters = count(model.countParameters());
    index.push([
      `[${system.name}](${facts.file}.md)`,
      METHODS[model.fusion?.name ?? 'codes'],
      parameters,
      facts.size.name,
    ]);
  }
  pages.set('flamingo.md', `${GENERATED}\n\n${await flamingoPage()}`);
  pages.set('README.md', indexPage(index));
  return pages;
}

async function compose({ size, file }: SystemFacts): Promise<{ system: System; model: MultimodalModel }> {
  const system = systemOf(size.config);
  const { model } = await composeSystem(system, size.config);
  const parameters = model.countParameters();
  if (size.parameters && size.parameters !== parameters)
    throw new Error(`${file}: ${parameters} parameters, and ${size.parameters} elsewhere`);
  return { system, model };
}

/** The figure, and the sequence of the example. */
function drawingOf(model: MultimodalModel, { imageToken }: SystemFacts): [figure: string, sequence: string] {
  const { encoder, generator } = model;
  if (encoder) {
    const image = prepare(encoder.preprocessing);
    // A model that sees has all the parts for it.
    const seeing = model as Seeing & MultimodalModel;
    return [figure(seeing, image), sequenceBlock(seeing, image, imageToken)];
  }
  if (!generator) throw new Error('a model without pictures');
  return [
    figureOfCodes({ ...model, decoder: model.decoder, generator }, EXAMPLE),
    codesBlock(generator.tokenizer.stride, imageToken),
  ];
}

function systemPage(facts: SystemFacts, system: System, model: MultimodalModel): string {
  const { file, size, link, notes } = facts;
  const [drawing, sequence] = drawingOf(model, facts);
  const source = `packages/models/src/systems/${file}.ts`;
  const sections = [
    GENERATED,
    `# ${system.name}`,
    linkPapers(aboutOf(source)) + (link ? ` [Announcement](${link}).` : ''),
    `Wired in [\`${source}\`](../../${source}); reads a \`config.json\` of \`model_type\` \`${system.modelType}\`.`,
    '## The figure',
    `Drawn from the composed model for a picture of ${EXAMPLE.width} × ${EXAMPLE.height}. Size: ${size.name}.`,
    drawing,
    '## The sequence',
    'What the decoder reads for this picture and a question, without the marks of a chat template:',
    sequence,
    '## The parameters',
    ...(size.countedBy ? [`Counted by ${size.countedBy}, the sum is the same.`] : []),
    parameterTable(model),
    '## The stages',
    ...(system.stages.length === 0
      ? ['How it was trained is not published, so there is no recipe.']
      : [
          'Numbers are learning rates; `learns` stands where the rate is unknown.',
          stageTable(model, system.stages),
        ]),
    '## Where the sources disagree, or say nothing',
    notes.map((note) => `- ${note}`).join('\n'),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** The comment of the system that a source exports. */
function aboutOf(source: string): string {
  const text = readFileSync(new URL(`../../${source}`, import.meta.url), 'utf8');
  const file = ts.createSourceFile(source, text, ts.ScriptTarget.Latest, true);
  const exported = file.statements.find((statement) => /^export const \w+: System/.test(statement.getText()));
  const [comment] = exported ? ts.getJSDocCommentsAndTags(exported) : [];
  const about = comment && ts.getTextOfJSDocComment(comment.comment);
  if (!about) throw new Error(`${source}: a comment on its system`);
  return about.replaceAll(/\s+/g, ' ');
}

function indexPage(rows: readonly string[][]): string {
  const sections = [
    GENERATED,
    '# The published systems',
    'A page for each: its figure, the sequence that it reads, its exact size, how it was trained, and where sources disagree.',
    table(rows),
    '[Flamingo](flamingo.md) is no system of its own here: the page composes it from parts.',
  ];
  return `${sections.join('\n\n')}\n`;
}
