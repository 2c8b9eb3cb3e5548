import * as tf from '@tensorflow/tfjs-core';
import { isSoftwareDriver, type OpenBackend, softwareReason } from './open';

/** WebGL 2 in browsers and their workers. */
export const openWebgl: OpenBackend = async ({ allowSoftware }) => {
  if (!tf.device_util.isBrowser()) throw new Error('there is no WebGL outside browsers');
  const { MathBackendWebGL } = await import('@tensorflow/tfjs-backend-webgl');
  if (tf.env().getNumber('WEBGL_VERSION') < 2) throw new Error('this browser offers no WebGL 2');
  const backend = new MathBackendWebGL();
  const device = rendererName(backend.gpgpu.gl);
  const software = isSoftwareDriver(device);
  const problem =
    software && !allowSoftware
      ? softwareReason(device)
      : !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED') && `${device} computes in 16-bit floats only`;
  if (problem) {
    backend.dispose();
    throw new Error(problem);
  }
  return { backend, device, software };
};

function rendererName(gl: WebGLRenderingContext): string {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}
