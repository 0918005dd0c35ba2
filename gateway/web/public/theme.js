// Before the first paint, so that a dark page does not flash white. Kept small and apart: the rest is a module.
try {
  const chosen = JSON.parse(localStorage.getItem('imagegen.appearance') || '{}').theme;
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.classList.toggle('dark', dark);
} catch {
  // no storage, or a broken value: the light page it is
}
