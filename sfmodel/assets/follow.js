"use strict";
// Draws a followed performance: the reference about the cursor, and the whole path; moves with the sound.
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.getElementById("follow");
const audio = document.getElementById("sound");
const view = document.getElementById("reference");
const pathView = document.getElementById("path");
const told = document.getElementById("told");
const SPAN_S = 12, BLUE = "#0072B2", RED = "#D55E00", GREEN = "#009E73";

function bytes(text) { return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); }
const spectrum = bytes(data.spectrum);
const bins = data.bins, frames = spectrum.length / bins;
const picture = document.createElement("canvas");
picture.width = Math.max(1, frames); picture.height = bins;
const drawing = picture.getContext("2d"), image = drawing.createImageData(picture.width, bins);
for (let i = 0; i < frames; i++) for (let b = 0; b < bins; b++) {
  const at = 4 * ((bins - 1 - b) * picture.width + i), dark = 255 - spectrum[i * bins + b] * 0.6;
  image.data[at] = image.data[at + 1] = image.data[at + 2] = dark; image.data[at + 3] = 255;
}
drawing.putImageData(image, 0, 0);

function last(times, time) { // index of the last entry at or before a time, -1 for none
  let low = 0, high = times.length;
  while (low < high) { const mid = (low + high) >> 1; if (times[mid] <= time) low = mid + 1; else high = mid; }
  return low - 1;
}
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * ratio); canvas.height = Math.round(box.height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  pen.font = "11px system-ui, sans-serif";
  return [pen, box.width, box.height];
}
function drawReference(place, step) {
  const [pen, width, height] = sized(view), from = place - SPAN_S / 3, scale = width / SPAN_S, ground = height - 58;
  const x = (time) => (time - from) * scale, y = (pitch) => ground * (1 - (pitch - 20.5) / 88);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(picture, x(data.start_s - 0.5 / data.rate_hz), 0, (frames / data.rate_hz) * scale, ground);
  pen.fillStyle = "rgba(0, 114, 178, .55)";
  for (const [onset, offset, pitch] of data.notes) {
    if (offset < from || onset > from + SPAN_S) continue;
    pen.fillRect(x(onset), y(pitch + 0.4), Math.max(2, (offset - onset) * scale), Math.max(2, ground / 100));
  }
  pen.fillStyle = GREEN;
  if (step >= 0) for (const [cell, share] of data.belief[step]) {
    const left = x(data.belief_start_s + cell * data.cell_s), size = 36 * Math.sqrt(share / 255);
    pen.fillRect(left, ground + 40 - size, Math.max(1, data.cell_s * scale - 0.5), size);
  }
  pen.fillStyle = "#444";
  for (let second = Math.ceil(from); second <= from + SPAN_S; second++) {
    if (second >= 0 && second % 2 === 0) pen.fillText(second + " s", x(second) + 2, height - 4);
    pen.fillRect(x(second), ground + 40, 1, 4);
  }
  pen.fillStyle = RED;
  pen.fillRect(x(place) - 1, 0, 2, ground + 40);
}
function pathScale() {
  const box = pathView.getBoundingClientRect(), ends = [data.reference_from_s, data.reference_to_s];
  return {
    x: (time) => 34 + (time - data.from_s) / (data.to_s - data.from_s) * (box.width - 40),
    back: (x) => data.from_s + (x - 34) / (box.width - 40) * (data.to_s - data.from_s),
    y: (place) => (box.height - 18) * (1 - (place - ends[0]) / (ends[1] - ends[0])),
  };
}
function drawPath(time, place) {
  const [pen, width, height] = sized(pathView), scale = pathScale();
  pen.strokeStyle = BLUE; pen.lineWidth = 1.5; pen.beginPath();
  data.time_s.forEach((t, i) => { if (i % 5 === 0) pen.lineTo(scale.x(t), scale.y(data.place_s[i])); });
  pen.stroke();
  pen.fillStyle = "#444";
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((s) => (data.to_s - data.from_s) / s < width / 70) || 1200;
  for (let t = Math.ceil(data.from_s / step) * step; t <= data.to_s; t += step) pen.fillText(t + " s", scale.x(t), height - 4);
  const span = data.reference_to_s - data.reference_from_s;
  const rise = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((s) => span / s < height / 30) || 1200;
  for (let r = 0; r <= data.reference_to_s; r += rise) pen.fillText(String(r), 2, scale.y(r) + 4);
  pen.fillStyle = RED; pen.beginPath(); pen.arc(scale.x(time), scale.y(place), 5, 0, 2 * Math.PI); pen.fill();
}
let shown = null;
function draw() {
  const time = audio.currentTime + data.audio_start_s;
  const size = view.clientWidth + "x" + pathView.clientWidth;
  if (shown !== time + size) {
    shown = time + size;
    const report = last(data.time_s, time), place = report < 0 ? data.reference_from_s : data.place_s[report];
    const sure = report < 0 ? 0 : data.confidence[report];
    drawReference(place, last(data.belief_time_s, time));
    drawPath(time, place);
    told.textContent = `performance ${time.toFixed(2)} s → reference ${place.toFixed(2).replace("-0.00", "0.00")} s, ${Math.round(100 * sure)} % sure`;
    root.dataset.performanceTimeS = time.toFixed(3);
    root.dataset.referenceTimeS = place.toFixed(3);
  }
  requestAnimationFrame(draw);
}
pathView.addEventListener("click", (event) => {
  const time = pathScale().back(event.clientX - pathView.getBoundingClientRect().left);
  audio.currentTime = Math.max(0, Math.min(audio.duration || 0, time - data.audio_start_s));
});
document.addEventListener("keydown", (event) => {
  if (event.target === audio) return;
  if (event.key === " ") { event.preventDefault(); if (audio.paused) audio.play(); else audio.pause(); }
  if (event.key === "ArrowLeft") audio.currentTime -= 5;
  if (event.key === "ArrowRight") audio.currentTime += 5;
});
requestAnimationFrame(draw);
