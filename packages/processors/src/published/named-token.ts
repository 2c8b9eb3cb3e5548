import { ConfigError } from '@mmllm/core';
import type { JsonTokenizer } from '../tokenizer/tokenizer';

/** Looks up the tokens that a class needs and `tokenizer_config.json` names. @throws ConfigError for one it lacks. */
export function namedToken({ specialTokens }: JsonTokenizer, component: string): (name: string) => string {
  return (name) => {
    const token = specialTokens[name];
    if (token !== undefined) return token;
    const actual = Object.keys(specialTokens).join(', ') || 'none';
    throw new ConfigError({ component, expected: `'${name}' in tokenizer_config.json`, actual });
  };
}
