// A two-tone signal for a new urgent incident. Browsers allow sound only after a click, so it is switched on by one.
let context = null;
let on = false;
export const soundOn = () => on;
export function toggleSound() { on = !on; if (on) { context ??= new AudioContext(); context.resume(); ring(); } }
export function ring() {
  if (!on || !context) return;
  [[880, 0], [660, 0.22], [880, 0.44]].forEach(([pitch, after]) => {
    const tone = context.createOscillator(); const volume = context.createGain(); const start = context.currentTime + after;
    tone.frequency.value = pitch; volume.gain.setValueAtTime(0.2, start); volume.gain.exponentialRampToValueAtTime(0.001, start + 0.2);
    tone.connect(volume).connect(context.destination); tone.start(start); tone.stop(start + 0.2);
  });
}
