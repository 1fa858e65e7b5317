"""Stills and clips: an acquisition of frames becomes an image of one of the classes in gateway.dicom.image_iods.

wrapping    the way: survey, header, pixels; one instance, or parts of what is too large
survey      one pass over the records: which frames can be used, when each came, what is missing
coding      how frames lie in the instance: raw (uncompressed or JPEG-LS), jpeg (as the camera coded them), h264
pixel_file  Pixel Data as a stream: native, a fragment for each frame, or one stream

Never more than a frame is in memory, and a few numbers of each.
"""
