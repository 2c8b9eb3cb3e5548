/** What threads can be given to do: one number and one function for each kernel that works in parts. */
import { activationPart } from './activate';
import { adamwPart } from './adamw';
import { attentionPart } from './attention';
import { attentionGradientPart } from './attention-gradient';
import { crossEntropyGradientPart, crossEntropyPart } from './cross-entropy';
import { gainGradientPart } from './gain-gradient';
import { heldGradientPart, heldLinearPart } from './held';
import { layerNormGradientPart, layerNormPart } from './layer-norm';
import { logSumExpGradientPart, logSumExpPart } from './log-sum-exp';
import { matmulPart, packRightPart } from './matmul';
import { matvecPart, matvecSlicesPart } from './matvec';
import { rmsNormGradientPart, rmsNormPart } from './rms-norm';
import { ropePart } from './rope';
import { columnSumsPart, gatherPart, scatterPart } from './rows';
import { sumOfSquaresPart } from './sum-of-squares';

export const MATMUL: i32 = 0;
export const PACK_RIGHT: i32 = 1;
export const ACTIVATION: i32 = 2;
export const COLUMN_SUMS: i32 = 3;
export const CROSS_ENTROPY: i32 = 4;
export const CROSS_ENTROPY_GRADIENT: i32 = 5;
export const GAIN_GRADIENT: i32 = 6;
export const GATHER: i32 = 7;
export const LAYER_NORM: i32 = 8;
export const LAYER_NORM_GRADIENT: i32 = 9;
export const LOG_SUM_EXP: i32 = 10;
export const LOG_SUM_EXP_GRADIENT: i32 = 11;
export const RMS_NORM: i32 = 12;
export const RMS_NORM_GRADIENT: i32 = 13;
export const ROPE: i32 = 14;
export const SCATTER: i32 = 15;
export const ADAMW: i32 = 16;
export const SUM_OF_SQUARES: i32 = 17;
export const MATVEC: i32 = 18;
export const HELD_LINEAR: i32 = 19;
export const HELD_GRADIENT: i32 = 20;
export const MATVEC_SLICES: i32 = 21;
export const ATTENTION: i32 = 22;
export const ATTENTION_GRADIENT: i32 = 23;

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
    case ACTIVATION:
      activationPart(part, parts);
      break;
    case COLUMN_SUMS:
      columnSumsPart(part, parts);
      break;
    case CROSS_ENTROPY:
      crossEntropyPart(part, parts);
      break;
    case CROSS_ENTROPY_GRADIENT:
      crossEntropyGradientPart(part, parts);
      break;
    case GAIN_GRADIENT:
      gainGradientPart(part, parts);
      break;
    case GATHER:
      gatherPart(part, parts);
      break;
    case LAYER_NORM:
      layerNormPart(part, parts);
      break;
    case LAYER_NORM_GRADIENT:
      layerNormGradientPart(part, parts);
      break;
    case LOG_SUM_EXP:
      logSumExpPart(part, parts);
      break;
    case LOG_SUM_EXP_GRADIENT:
      logSumExpGradientPart(part, parts);
      break;
    case RMS_NORM:
      rmsNormPart(part, parts);
      break;
    case RMS_NORM_GRADIENT:
      rmsNormGradientPart(part, parts);
      break;
    case ROPE:
      ropePart(part, parts);
      break;
    case SCATTER:
      scatterPart(part, parts);
      break;
    case ADAMW:
      adamwPart(part, parts);
      break;
    case SUM_OF_SQUARES:
      sumOfSquaresPart(part, parts);
      break;
    case MATVEC:
      matvecPart(part, parts);
      break;
    case MATVEC_SLICES:
      matvecSlicesPart(part, parts);
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
