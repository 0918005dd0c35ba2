export const graph = {
  title: 'Graph',
};
