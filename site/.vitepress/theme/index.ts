import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme-without-fonts';
import '@fontsource-variable/geist';
import '@fontsource-variable/geist-mono';
import LogDemo from './LogDemo.vue';
import './tokens.css';
import './page.css';
import './home.css';

const theme: Theme = {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('LogDemo', LogDemo);
  },
};
export default theme;
