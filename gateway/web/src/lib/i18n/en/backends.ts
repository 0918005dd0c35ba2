export const backends = {
  title: 'Backends',
};
