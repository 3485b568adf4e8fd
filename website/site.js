// Keyboard: labels of the theme that open and close something can be reached and
// pressed, Escape closes the menu, and every block of code can be scrolled.
const names = { __drawer: 'Menu', __search: 'Search' }
const labels = 'label.md-header__button[for], label.md-nav__title[for^=__nav],'
  + ' label.md-nav__link[for^=__nav]'
for (const label of document.querySelectorAll(labels)) {
  if (label.closest('[data-md-component=palette]')) continue
  label.tabIndex = 0
  label.setAttribute('role', 'button')
  if (names[label.htmlFor]) {
    label.setAttribute('aria-label', names[label.htmlFor])
  }
  label.addEventListener('keydown', (event) => {
    if (event.key === ' ') {
      event.preventDefault()
      label.click()
    }
  })
}
document.addEventListener('keydown', (event) => {
  const drawer = document.getElementById('__drawer')
  if (event.key === 'Escape' && drawer.checked) {
    drawer.click()
    document.querySelector('label[for=__drawer].md-header__button').focus()
  }
})
for (const code of document.querySelectorAll('pre > code')) {
  const reach = () => { if (code.tabIndex < 0) code.tabIndex = 0 }
  new MutationObserver(reach).observe(code, { attributeFilter: ['tabindex'] })
  reach()
}
