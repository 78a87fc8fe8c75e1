/* NVIDIA's driver as mlpack calls it, with one card, or none. */
#include <string.h>
#ifndef MAJOR
#define MAJOR 9
#define MINOR 0
#endif
int cuInit(unsigned flags) { (void)flags; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return MAJOR ? 0 : 100; }
int cuDeviceGetName(char *name, int length, int device) {
  (void)device;
  strncpy(name, "Made-up 100", length);
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  *value = attribute == 75 ? MAJOR : attribute == 76 ? MINOR : -1;
  return 0;
}
