/** Types of inputs and outputs: which fit, and what colour they have. Pure. */

// ComfyUI's own colours, which its users know by heart.
const COLOURS: Readonly<Record<string, string>> = {
  CLIP: '#FFD500',
  CLIP_VISION: '#A8DADC',
  CLIP_VISION_OUTPUT: '#AD7452',
  CONDITIONING: '#FFA931',
  CONTROL_NET: '#6EE7B7',
  GUIDER: '#66FFFF',
  IMAGE: '#64B5F6',
  LATENT: '#FF9CF9',
  MASK: '#81C784',
  MODEL: '#B39DDB',
  NOISE: '#B0B0B0',
  SAMPLER: '#ECB4B4',
  SIGMAS: '#CDFFCD',
  STYLE_MODEL: '#C2FFAE',
  VAE: '#FF6E6E',
};
const ANY = '*';
const CHOSEN = new Set(['COMBO', 'STRING']);

/** Grey for types of somebody else. */
export function colourOf(type: string): string {
  return COLOURS[type.split(',')[0]?.trim() ?? ''] ?? '#9A9A9A';
}

/** Whether an output of one type may be linked to an input of another, as far as their names tell: as ComfyUI checks. */
export function fits(given: string, taken: string): boolean {
  if ([given, taken].some((type) => type === ANY || type.startsWith('COMFY_'))) return true;
  const [givenTypes, takenTypes] = [typesOf(given), typesOf(taken)];
  if (givenTypes.includes(ANY) || takenTypes.includes(ANY)) return true;
  if (givenTypes.some((type) => takenTypes.includes(type))) return true;
  // Choices are compared by their options, which outputs do not tell, and some are handed on as texts.
  return [...givenTypes, ...takenTypes].every((type) => CHOSEN.has(type));
}

function typesOf(type: string): string[] {
  return type.split(',').map((each) => each.trim());
}
