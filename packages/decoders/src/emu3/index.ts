export { type Emu3Config, emu3 } from './emu3';
