export * from './layers';
export * from './ops';
