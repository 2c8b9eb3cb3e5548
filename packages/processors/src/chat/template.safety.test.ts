import { TemplateError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { maxTemplateText } from './limits';
import type { ChatMessage } from './message';
import { jinjaTemplate } from './template';

const messages: ChatMessage[] = [{ role: 'user', content: 'hello' }];
const render = (source: string, variables = {}) => jinjaTemplate(source).render(messages, { variables }).text;

/** The error of a template; a text that came instead is told by its length. */
function failure(source: string): unknown {
  try {
    return `text of ${render(source).length}`;
  } catch (error) {
    return error;
  }
}

describe('a chat template', () => {
  it.each([
    "{{ ''.constructor.constructor('return 1')() }}",
    "{{ ''['constructor']['constructor']('return 1')() }}",
    "{{ [].constructor('x') }}",
    '{{ {}.__proto__.polluted() }}',
    "{{ {}['__proto__']['x'] }}",
    '{{ {}.toString() }}',
    "{{ messages.map.call('x') }}",
    "{{ messages[0].hasOwnProperty('role') }}",
    '{{ messages.constructor.prototype }}',
    "{{ 'a'.at(0) }}",
    "{{ 'a'.replaceAll('a', 'b') }}",
    "{{ range.constructor('return 1')() }}",
    '{{ namespace.prototype.x }}',
    "{{ namespace(x=1).constructor('y') }}",
    '{{ loop.constructor() }}',
    "{{ (messages | attr('constructor'))() }}",
    "{{ messages | map(attribute='constructor.constructor') | list }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    '{% macro m() %}{% endmacro %}{{ m.call.constructor() }}',
    "{% set ns = namespace() %}{% set ns.__proto__ = {'x': 1} %}{{ {}.x.y }}",
    "{{ strftime_now.bind('x') }}",
    '{{ globalThis.process.exit(1) }}',
    '{{ callee(1) }}',
    "{{ secret('x') }}",
    '{{ messages.append(1) }}',
  ])('reaches nothing of JavaScript: %s', (source) => {
    expect(() => render(source, { secret: () => 'called' })).toThrow(TemplateError);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it('has no filter, test, method or variable by the name of what an object inherits', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf']) {
      expect(() => render(`{{ 'a' | ${name} }}`)).toThrow(TemplateError);
      expect(() => render(`{{ 'a' is ${name} }}`)).toThrow(TemplateError);
      expect(render(`{{ ${name} is defined }}{{ 'a'.${name} is defined }}`)).toBe('FalseFalse');
      expect(() => render(`{% ${name} %}`)).toThrow(TemplateError);
    }
  });

  it('does not look into what is no plain data', () => {
    const secret = new (class {
      key = 'hidden';
      get danger(): string {
        throw new Error('was read');
      }
    })();
    const variables = { secret, bytes: new Uint8Array(1e7), date: new Date() };
    expect(render('{{ secret.key }}{{ secret.danger }}{{ bytes[0] }}{{ date.getTime }}', variables)).toBe('');
  });

  it.each([
    ['{% for i in range(10**9) %}{% endfor %}', 'limit'],
    [
      '{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}',
      'limit',
    ],
    ['{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}', 'limit'],
    ['{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', 'limit'],
    ['{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}', 'limit'],
    [
      '{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% else %}xxxxxxxxxx{% endif %}{% endmacro %}{{ f(40) }}',
      'limit',
    ],
    [
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      'limit',
    ],
    [
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      'limit',
    ],
    [
      '{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}',
      'limit',
    ],
    [
      '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}',
      'limit',
    ],
    [
      '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}',
      'limit',
    ],
    [
      '{% set a = namespace(x=[1]) %}{% set b = namespace(x=[1]) %}{% for i in range(60) %}{% set a.x = [a.x, a.x] %}{% set b.x = [b.x, b.x] %}{% endfor %}{{ a.x == b.x }}',
      'limit',
    ],
    [
      '{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}',
      'limit',
    ],
    ['{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}', 'limit'],
    ["{{ 'a' * 10**12 }}", 'limit'],
    ["{{ 'abc'.ljust(10**12) }}{{ 'a'.center(10**10) }}", 'limit'],
    ["{{ '%999999999999d' % 1 }}", 'limit'],
    ["{{ ('x' * 10**6).replace('', 'y' * 10**6) }}", 'limit'],
    ["{{ ('x,' * 10**6).split(',') | join('y' * 10**6) }}", 'limit'],
    ["{{ ('x\\n' * 10**6) | indent(10**6) }}", 'limit'],
    ['{{ [1] * 10**9 }}', 'limit'],
    ['{{ 9 ** (10**9) }}', 'limit'],
    ['{{ messages | tojson(indent=10**9) }}', 'limit'],
    ["{% for i in range(99999) %}{{ ('a' * 10**6) ~ i }}{% endfor %}", 'limit'],
    ["{% for i in range(99999) %}{{ ('a' * 10**6) | upper | length }}{% endfor %}", 'limit'],
    ["{% for i in range(99999) %}{{ (' a' * 10**5).split() | length }}{% endfor %}", 'limit'],
    [`{{ ${'('.repeat(50000)}1${')'.repeat(50000)} }}`, 'limit'],
    [`{{ ${'not '.repeat(50000)}1 }}`, 'limit'],
    [`${'{% if true %}'.repeat(20000)}${'{% endif %}'.repeat(20000)}`, 'limit'],
  ])('ends: %s', (source, kind) => {
    const error = failure(source);
    expect(error).toBeInstanceOf(TemplateError);
    expect(error).toMatchObject({ kind });
  });

  it('ends within one call of a filter or of a comparison', () => {
    const slow = "{% for i in range(9999) %}{{ range(99999) | map('string') | join | length }}{% endfor %}";
    expect(failure(slow)).toMatchObject({ kind: 'limit' });
  });

  it('refuses a text beyond the limit, and a template too', () => {
    const content = 'x'.repeat(maxTemplateText);
    const twice = jinjaTemplate('{% for m in messages %}{{ m.content }}{% endfor %}');
    expect(twice.render([{ role: 'user', content }]).text.length).toBe(maxTemplateText);
    const more = [
      { role: 'user', content },
      { role: 'user', content: 'y' },
    ];
    expect(() => twice.render(more)).toThrow(expect.objectContaining({ kind: 'limit' }));
    expect(() => jinjaTemplate(`${content}y`)).toThrow(expect.objectContaining({ kind: 'limit' }));
  });

  it('begins each render with a full allowance, also one within another', () => {
    const heavy = jinjaTemplate("{% for i in range(60000) %}{{ '' }}{% endfor %}done");
    for (let i = 0; i < 10; i++) expect(heavy.render(messages).text).toBe('done');
    const now = () => {
      heavy.render(messages);
      return new Date(2026, 0);
    };
    expect(jinjaTemplate("{{ strftime_now('%Y') }}").render(messages, { now }).text).toBe('2026');
  });
});
