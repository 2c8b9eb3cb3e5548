import { memoryStorage } from './memory';
import { storageSuite } from './suite';

storageSuite('memoryStorage', async () => memoryStorage());
