import '@tensorflow/tfjs-backend-cpu';
import { describeDigests } from '../testing/digests';

describeDigests();
