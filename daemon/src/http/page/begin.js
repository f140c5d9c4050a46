// Before anything is painted: scripts run, so that the live view is shown and nothing moves later.
document.documentElement.classList.add("scripted");
