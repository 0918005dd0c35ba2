/** Calls `look` when the element comes near the screen: what nobody scrolls to costs nothing. */
export function whenSeen(look: () => void): (element: Element) => () => void {
  return (element) => {
    const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && look(), {
      rootMargin: '200px',
    });
    observer.observe(element);
    return () => observer.disconnect();
  };
}
