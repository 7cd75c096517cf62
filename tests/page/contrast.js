// For each text that is seen: the contrast with what lies behind it, by WCAG 2.2's formula. Disabled controls are exempt.
() => {
  const parts = (colour) => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const behind = (element) => {
    const own = parts(getComputedStyle(element).backgroundColor);
    if (own.a === 1) return own;
    return over(own, element.parentElement ? behind(element.parentElement) : { r: 255, g: 255, b: 255, a: 1 });
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest("noscript, .hidden, .skip, .switch span, :disabled") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const front = over(parts(element instanceof SVGElement ? style.fill : style.color), behind(element));
    const [a, b] = [light(front), light(behind(element))].sort((x, y) => y - x);
    found.push({ text: text.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) });
  }
  return found;
}
