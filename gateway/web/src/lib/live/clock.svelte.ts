/** The time, once a second, for what counts down. Stands still while nobody looks. */
class Clock {
  now = $state(Date.now());

  constructor() {
    setInterval(() => {
      if (document.visibilityState === 'visible') this.now = Date.now();
    }, 1000);
  }
}

export const clock = new Clock();
