import { FLOAT_KEYS } from './float-keys';

/**
 * JSON as Python writes a configuration: indented by two, and with a fraction wherever transformers declares a float,
 * which JavaScript cannot tell from an integer.
 */
export const jsonText = (value: object): string => `${write(value, '', '\n')}\n`;

/** @param newline the line break with the indentation of the value's own line. */
function write(value: unknown, key: string, newline: string): string {
  if (typeof value === 'number' && Number.isInteger(value) && FLOAT_KEYS.has(key)) return floatText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const inner = `${newline}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[${value.map((item) => inner + write(item, key, inner)).join(',')}${newline}]`;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  if (members.length === 0) return '{}';
  const lines = members.map(
    ([name, member]) => `${inner}${JSON.stringify(name)}: ${write(member, name, inner)}`,
  );
  return `{${lines.join(',')}${newline}}`;
}

/** Large numbers have an exponent, which makes them floats already. */
const floatText = (value: number): string => (/e/.test(`${value}`) ? `${value}` : `${value}.0`);
