import { ConfigError, TemplateError, type TemplateErrorKind } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { textAndImages } from '../processor';
import { caseFile, caseJson } from '../testing/golden';
import { wordTokenizer } from '../text/words';
import fixture from './__fixtures__/probes.json' with { type: 'json' };
import { chatTemplateFromFiles } from './files';
import { assistantMask } from './mask';
import type { ChatMessage } from './message';
import { jinjaTemplate } from './template';

interface Probe {
  template: string;
  text?: string;
  generations?: number[][];
  error?: { kind: TemplateErrorKind; reason?: string };
}

const messages = fixture.messages as ChatMessage[];
const probes = fixture.probes as Probe[];
const options = { addGenerationPrompt: true, now: () => new Date(2026, 2, 9, 14, 5, 6) };
const render = (source: string) => jinjaTemplate(source, { bos_token: '<s>' }).render(messages, options);

describe('jinjaTemplate', () => {
  it.each(probes.filter(({ error }) => !error))(
    'renders as Python: $template',
    ({ template, ...expected }) => {
      const { text, generations } = render(template);
      expect(text).toBe(expected.text);
      const codePoints = generations?.map((marks) => marks.map((at) => [...text.slice(0, at)].length));
      expect(codePoints ?? []).toEqual(expected.generations ?? []);
    },
  );

  it.each(probes.filter(({ error }) => error))('fails as Python: $template', ({ template, error }) => {
    expect(() => render(template)).toThrow(TemplateError);
    expect(() => render(template)).toThrow(expect.objectContaining(error));
  });

  it('sees tools, documents and further variables, which win over special tokens', () => {
    const template = jinjaTemplate(
      '{{ tools | tojson }}{{ documents }}{{ bos_token }}{{ extra }}{{ left_out }}',
      {
        bos_token: '<s>',
      },
    );
    const variables = { bos_token: 'B', extra: new Map([[1, [true, null, 0.5, 2]]]), left_out: undefined };
    const { text } = template.render(messages, { tools: [{ name: 'f' }], documents: [], variables });
    expect(text).toBe('[{"name": "f"}][]B{1: [True, None, 0.5, 2]}');
  });

  it('leaves the last message open', () => {
    const template = jinjaTemplate('{% for m in messages %}<{{ m.content | trim }}>{% endfor %}');
    const continued = (content: ChatMessage['content'], source = template) =>
      source.render([{ role: 'assistant', content }], { continueFinalMessage: true }).text;
    expect(continued('Once upon')).toBe('<Once upon');
    expect(continued('Once upon ')).toBe('<Once upon');
    const parts = jinjaTemplate('{% for p in messages[0].content %}[{{ p.text }}]{% endfor %}');
    expect(continued([{ type: 'text', text: 'a ' }, { type: 'image' }], parts)).toBe('[a ');
    expect(() => continued(null)).toThrow(expect.objectContaining({ kind: 'value' }));
    expect(() => continued('x', jinjaTemplate('content'))).toThrow(
      expect.objectContaining({ kind: 'value' }),
    );
    const both = { continueFinalMessage: true, addGenerationPrompt: true };
    expect(() => template.render(messages, both)).toThrow(TemplateError);
    expect(() => template.render([])).toThrow(TemplateError);
  });

  it('leaves what it is given as it was', () => {
    const given = structuredClone(messages);
    render('{% set ns = namespace() %}{% for m in messages %}{% set ns.m = m %}{% endfor %}');
    expect(messages).toEqual(given);
  });

  it('refuses text that is no template, and says so', () => {
    const error = (() => {
      try {
        return jinjaTemplate('{% if %}');
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(TemplateError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ kind: 'syntax', component: 'chat template' });
  });
});

describe('assistantMask', () => {
  const offsets = Int32Array.from([0, 2, 2, 5, 5, 8, 8, 8]);
  const mask = (...generations: [number, number][]) => [...assistantMask({ text: '', generations }, offsets)];

  it('marks tokens from the first to the last of what was said', () => {
    expect(mask([2, 5])).toEqual([0, 1, 0, 0]);
    expect(mask([3, 6])).toEqual([0, 1, 1, 0]);
    expect([...assistantMask({ text: '' }, offsets)]).toEqual([0, 0, 0, 0]);
  });

  it('has the odd rules of the original', () => {
    // The last token is the first of all, or there is none: on to the end. No first token: nothing more is marked.
    expect(mask([0, 2])).toEqual([1, 1, 1, 1]);
    expect(mask([5, 20])).toEqual([0, 0, 1, 1]);
    expect(mask([9, 10], [2, 5])).toEqual([0, 0, 0, 0]);
  });
});

describe('chatTemplateFromFiles', () => {
  const text = (files: Parameters<typeof chatTemplateFromFiles>[0], ...rest: [{ name?: string }?]) =>
    chatTemplateFromFiles(files, ...rest).render(messages).text;

  it('takes the file that transformers takes', () => {
    const tokenizerConfig = { chat_template: 'config {{ eos_token }}', eos_token: { content: '</s>' } };
    expect(text({ tokenizerConfig })).toBe('config </s>');
    expect(text({ tokenizerConfig, jinja: 'jinja' })).toBe('jinja');
    const chatTemplateJson = { chat_template: 'json' };
    expect(text({ tokenizerConfig, jinja: 'jinja', chatTemplateJson })).toBe('json');
    expect(text({ jinja: 'jinja', chatTemplateJson, processorConfig: { chat_template: 'processor' } })).toBe(
      'processor',
    );
    expect(text({ jinja: 'jinja', processorConfig: { image_seq_length: 1 } })).toBe('jinja');
  });

  it('takes one of several by its name, or for tools', () => {
    const chat_template = ['default', 'tool_use', 'rag'].map((name) => ({ name, template: `is ${name}` }));
    const files = { tokenizerConfig: { chat_template } };
    expect(text(files)).toBe('is default');
    expect(text(files, { name: 'rag' })).toBe('is rag');
    expect(chatTemplateFromFiles(files).render(messages, { tools: [] }).text).toBe('is tool_use');
    expect(() => text(files, { name: 'other' })).toThrow('only default, tool_use, rag');
  });

  it('refuses files without one', () => {
    for (const chat_template of [undefined, 7, [], [{ name: 'default' }]]) {
      expect(() => text({ tokenizerConfig: { chat_template } })).toThrow(ConfigError);
    }
  });
});

describe('textAndImages', () => {
  it('takes the template of a model', async () => {
    const tokenizer = wordTokenizer(['user says : hello assistant']);
    const template = jinjaTemplate(
      '{% for m in messages %}{{ m.role }} says : {{ m.content }} {% endfor %}{% if add_generation_prompt %}assistant{% endif %}',
    );
    const processor = textAndImages({ tokenizer, template }).build({});
    const { ids } = await processor.process([{ messages: [{ role: 'user', content: 'hello' }] }], {
      padding: 'right',
    });
    expect([...ids.data]).toEqual([...tokenizer.encode('user says : hello assistant')]);
  });
});

describe('a mutated template', () => {
  const sources = [
    'gemma',
    'janus',
    'llama2',
    'llama3',
    'llava-1.5',
    'pixtral',
    'qwen2-vl',
    'smollm2',
    'vicuna',
  ].map((name) => ({
    source: new TextDecoder().decode(caseFile(`chat-${name}/base/chat_template.jinja`)),
    lines: caseJson<{ messages: ChatMessage[] }[]>(`chat-${name}/base/golden.json`),
  }));

  it('is a text or a typed error', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const outcomes = { text: 0, error: 0 };
    for (let i = 0; i < 600; i++) {
      const { source, lines } = sources[i % sources.length];
      const conversation = lines[random(lines.length)].messages;
      const mutated = mutate(source, random);
      try {
        jinjaTemplate(mutated).render(conversation);
        outcomes.text++;
      } catch (error) {
        if (!(error instanceof TemplateError)) throw new Error(`${error} of ${mutated}`, { cause: error });
        outcomes.error++;
      }
    }
    expect(outcomes.text).toBeGreaterThan(50);
    expect(outcomes.error).toBeGreaterThan(50);
  });
});

/** Characters changed, tags dropped, doubled or moved, the end cut off. */
function mutate(source: string, random: (below: number) => number): string {
  const pieces = source.split(/(\{[%{#].*?[%}#]\})/s);
  const at = random(pieces.length);
  const from = random(source.length);
  const signs = '{}%#()[]|.,:=+-*/~\'" \n\\0123456789abcxyz<>!\0é😀';
  switch (random(6)) {
    case 0:
      return pieces.filter((_, i) => i !== at).join('');
    case 1:
      return [...pieces.slice(0, at), pieces[at], ...pieces.slice(at)].join('');
    case 2:
      return [...pieces.slice(0, at), pieces[random(pieces.length)], ...pieces.slice(at + 1)].join('');
    case 3:
      return source.slice(0, from);
    case 4:
      return source.slice(0, from) + source.slice(from + 1 + random(8));
  }
  const sign = [...signs][random([...signs].length)];
  return source.slice(0, from) + sign + source.slice(from + random(2));
}
