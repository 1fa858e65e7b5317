"""The life of a stick, from the socket to the carrier; what every other medium has of it, too.

stick                  what udev and the kernel say of it
own_disks              whether it is one of the disks that the box itself runs on
admission              the rule: use, ask or refuse (pure)
mounting               mount(8), umount(8)
checking               fsck.fat(8), and what it leaves on a stick that was cut off
told                   what root's process tells the others, and what a person answers
keeper                 one stick from plugged in to taken out: all of the above in order
register               the box's own memory of every file-set it filled

None of it loads pydicom or sqlite3.
"""
