// Keyboard: what is a label in the theme's header can be reached and pressed,
// Escape closes the menu, and every block of code can be scrolled.
for (const label of document.querySelectorAll('label.md-header__button[for]')) {
  if (label.closest('[data-md-component=palette]')) continue
  label.tabIndex = 0
  label.setAttribute('role', 'button')
  label.setAttribute('aria-label', label.htmlFor === '__drawer' ? 'Menu' : 'Search')
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
