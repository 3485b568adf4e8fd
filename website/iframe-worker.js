// Search in pages that are read from disk: a browser starts no Worker from
// file://, so this one runs the script in a hidden frame. Of the same name as
// the package that mkdocs-material's plugin `offline` would fetch, which it does
// not do where a script of this name is listed.
if (location.protocol === 'file:') {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement('iframe')
      this.frame.hidden = true
      this.frame.title = 'search'
      document.body.appendChild(this.frame)
      const inside = this.frame.contentWindow
      this.waiting = []
      inside.postMessage = (data) => this.answer(data)
      inside.importScripts = (...urls) => Promise.all(
        urls.map((one) => this.script(new URL(one, url).href))
      )
      this.script(url).then(() => {
        this.ready = true
        this.waiting.splice(0).forEach((data) => this.postMessage(data))
      })
    }

    script(url) {
      return new Promise((done, fail) => {
        const element = this.frame.contentDocument.createElement('script')
        element.src = url
        element.onload = done
        element.onerror = fail
        this.frame.contentDocument.body.appendChild(element)
      })
    }

    postMessage(data) {
      if (this.ready) {
        this.frame.contentWindow.dispatchEvent(
          new MessageEvent('message', { data })
        )
      } else {
        this.waiting.push(data)
      }
    }

    answer(data) {
      const event = new MessageEvent('message', { data })
      this.dispatchEvent(event)
      this.onmessage?.(event)
    }

    terminate() {
      this.frame.remove()
    }
  }
}
