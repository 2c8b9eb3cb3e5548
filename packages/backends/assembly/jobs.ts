/** What threads can be given to do: one number and one function for each kernel that works in parts. */
import { heldGradientPart, heldLinearPart } from './held';
import { matmulPart, packRightPart } from './matmul';
import { matvecPart } from './matvec';

export const MATMUL: i32 = 0;
export const PACK_RIGHT: i32 = 1;
export const MATVEC: i32 = 2;
export const HELD_LINEAR: i32 = 3;
export const HELD_GRADIENT: i32 = 4;

/** One part of the current job. @param thread who runs it, from 0: scratch memory is for each thread */
export function runPart(kind: i32, part: i32, parts: i32, thread: i32): void {
  switch (kind) {
    case MATMUL:
      matmulPart(part, parts, thread);
      break;
    case PACK_RIGHT:
      packRightPart(part, parts);
      break;
    case MATVEC:
      matvecPart(part, parts);
      break;
    case HELD_LINEAR:
      heldLinearPart(part, parts, thread);
      break;
    case HELD_GRADIENT:
      heldGradientPart(part, parts, thread);
      break;
    default:
      unreachable();
  }
}
