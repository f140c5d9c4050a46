// Runs before the first paint, so the live view shows at once and the layout does not shift.
document.documentElement.classList.add("scripted");
