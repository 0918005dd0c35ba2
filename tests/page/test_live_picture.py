"""A picture that shows itself, without any script."""

from playwright.async_api import Page

from tests.page.stack import Stack

# Only observes: the <img> itself needs no script.
OBSERVE = """
async ([live, assetOf]) => {
  const image = document.createElement('img')
  image.src = live
  document.body.append(image)
  const canvas = Object.assign(document.createElement('canvas'), {width: 32, height: 32})
  const context = canvas.getContext('2d', {willReadFrequently: true})
  const look = (picture) => {
    context.clearRect(0, 0, 32, 32)
    context.drawImage(picture, 0, 0, 32, 32)
    return Array.from(context.getImageData(0, 0, 32, 32).data).join()
  }
  const seen = new Set()
  let finished = null
  for (;;) {
    if (image.naturalWidth) seen.add(look(image))
    if (!finished) {
      const {job} = await (await fetch(assetOf)).json()
      if (job.state === 'JOB_STATE_SUCCEEDED') {
        finished = new Image()
        finished.src = '/api/v1/assets/' + job.outputs[0].asset.digest
        await finished.decode()
      }
    } else if (image.naturalWidth && look(image) === look(finished)) {
      return {pictures: seen.size, width: image.naturalWidth, height: image.naturalHeight}
    }
    await new Promise(requestAnimationFrame)
  }
}
"""


async def test_previews_change_in_a_plain_img_and_end_in_the_finished_picture(page: Page, stack: Stack) -> None:
    job_id = await stack.make("a lighthouse", width=320, steps=30)
    await page.goto(stack.url)
    seen = await page.evaluate(OBSERVE, [f"/api/v1/jobs/{job_id}/live", f"/api/v1/jobs/{job_id}"])
    assert seen["pictures"] >= 4
    assert (seen["width"], seen["height"]) == (320, 256)
