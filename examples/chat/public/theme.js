// Sets the chosen theme before the first paint. Without a choice, the system's preference holds.
// The key and the attribute are those of src/page/theme.ts.
try {
  const theme = localStorage.getItem('tidings:theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden here: the system's preference decides.
}
