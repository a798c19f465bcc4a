/** The colours of the sheet: old paper, pale water, warm land. */
export const palette = {
  paper: '#f7f1e3',
  ink: '#3b3129',
  faintInk: '#7d6f5f',
  accent: '#a6492d',
  sea: '#c6d6d5',
  /** From the open sea to the shore. */
  shallows: ['#cddbd8', '#d5e1dc', '#dee8e1', '#e8efe6'],
  seaLine: '#9db8ba',
  seaName: '#55797f',
  coast: '#64807f',
  neighbour: '#eee6d3',
  focus: '#f3dcae',
  focusEdge: '#c9803f',
  shadow: '#5b4630',
  border: '#8f7a63',
  grid: '#55747a',
  tints: ['#f0dcb4', '#dfe1be', '#f1d3b8', '#d8dfd0', '#e9d6c9'],
} as const
