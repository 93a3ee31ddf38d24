# SPDX-License-Identifier: GPL-2.0-or-later
# public.sed - forecast.h as a header by itself for users of the library, under names of their own.
/^\/\* For the models alone/,/forecast_n_models;/d
s/forecast\.h - /foreshape-forecast.h - /
s/, the table of models, and the$/ and the/
s/a user of this folder talks to/its users talk to/
s/FORESHAPE_FORECAST_H/FORESHAPE_FORECAST_LIBRARY_H/
s/\bFORECAST_/FSH_/g
s/\bQ(025|05|10|25|50|75|90|95|975|99|999)\b/FSH_Q\1/g
s/\b(series_[a-z0-9_]+)/fsh_\1/g
s/\bstruct (series|forecast)\b/struct fsh_\1/g
s/\bforecast_(at|level|limit)\b/fsh_forecast_\1/g
/^#include <stdint\.h>/a\
\
#ifdef __cplusplus\
extern "C" {\
#endif
$i\
#ifdef __cplusplus\
}\
#endif\

