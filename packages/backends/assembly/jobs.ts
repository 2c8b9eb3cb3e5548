/** What threads can be given to do: one number and one function for each kernel that works in parts. */
import { attentionPart } from './attention';
import { attentionGradientPart } from './attention-gradient';
import { matmulPart, packRightPart } from './matmul';

export const MATMUL: i32 = 0;
export const PACK_RIGHT: i32 = 1;
export const ATTENTION: i32 = 2;
export const ATTENTION_GRADIENT: i32 = 3;

/** One part of the current job. @param thread who runs it, from 0: scratch memory is for each thread */
export function runPart(kind: i32, part: i32, parts: i32, thread: i32): void {
  switch (kind) {
    case MATMUL:
      matmulPart(part, parts, thread);
      break;
    case PACK_RIGHT:
      packRightPart(part, parts);
      break;
    case ATTENTION:
      attentionPart(part, parts, thread);
      break;
    case ATTENTION_GRADIENT:
      attentionGradientPart(part, parts, thread);
      break;
    default:
      unreachable();
  }
}
