export { app } from './app';
export { backends } from './backends';
export { gallery } from './gallery';
export { generate } from './generate';
export { graph } from './graph';
export { queue } from './queue';
export { settings } from './settings';
export { workflows } from './workflows';
