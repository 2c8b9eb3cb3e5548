import { cpus } from 'node:os';
import { expect, it } from 'vitest';
import { describeRun } from './machine.ts';

it('says when and where', () => {
  expect(describeRun(3)).toMatch(/^\d{4}-\d\d-\d\d, Node v\d+.*, 3 rounds$/);
  expect(describeRun(3)).toContain(`${cpus().length} × `);
});
