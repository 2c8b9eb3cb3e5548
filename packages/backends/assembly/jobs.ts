/** What threads can be given to do: one number and one function for each kernel that works in parts. */
import { activationPart } from './activate';
import { crossEntropyGradientPart, crossEntropyPart } from './cross-entropy';
import { gainGradientPart } from './gain-gradient';
import { layerNormGradientPart, layerNormPart } from './layer-norm';
import { logSumExpGradientPart, logSumExpPart } from './log-sum-exp';
import { matmulPart, packRightPart } from './matmul';
import { rmsNormGradientPart, rmsNormPart } from './rms-norm';
import { ropePart } from './rope';
import { columnSumsPart, gatherPart, scatterPart } from './rows';

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

/** One part of the current job. @param thread who runs it, from 0: scratch memory is for each thread */
export function runPart(kind: i32, part: i32, parts: i32, thread: i32): void {
  switch (kind) {
    case MATMUL:
      matmulPart(part, parts, thread);
      break;
    case PACK_RIGHT:
      packRightPart(part, parts);
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
    default:
      unreachable();
  }
}
